"""The checks of each chapter's exercises: a module a chapter, named by its slug."""
