DROP FUNCTION begin_change_epoch, change_epoch, change_database;
DROP TABLE change_epochs;
