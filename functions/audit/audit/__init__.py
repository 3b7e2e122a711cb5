"""Who did what to which job: the records, for those who may read them."""
