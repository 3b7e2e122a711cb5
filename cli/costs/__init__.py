"""What a deployment costs in a month: unit prices in one file, usage from the template and from what is asked for."""
