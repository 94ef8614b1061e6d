DROP FUNCTION begin_change_epoch();
DROP FUNCTION change_epoch();
DROP FUNCTION change_database();
DROP TABLE change_epochs;
