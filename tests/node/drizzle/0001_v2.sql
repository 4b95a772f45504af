CREATE TABLE `lists` (`id` integer PRIMARY KEY NOT NULL, `name` text NOT NULL);
--> statement-breakpoint
INSERT INTO `lists` VALUES (1, 'inbox');
--> statement-breakpoint
ALTER TABLE `todos` ADD `list` integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
UPDATE `todos` SET `title` = upper(`title`);
