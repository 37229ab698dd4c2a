drop extension if exists btree_gist;
