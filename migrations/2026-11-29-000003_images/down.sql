DROP TABLE image_objects;
