"""Everything a database holds, in one file that either kind of database can be made from."""
