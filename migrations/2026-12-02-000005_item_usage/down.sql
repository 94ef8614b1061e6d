DROP TABLE item_usage;
