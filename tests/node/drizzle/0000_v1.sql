CREATE TABLE `todos` (`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL, `title` text NOT NULL, `done` integer DEFAULT 0 NOT NULL);
--> statement-breakpoint
CREATE INDEX `todos_done` ON `todos` (`done`);
