"""GIS exports: layers of a county's snapshot, cut to an area, in the file format and CRS that was asked for."""
