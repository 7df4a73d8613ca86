"""Dev mode at the terminal: `composer watch` and `composer up --watch`. The watch itself is composer.watch; here are its door to the
daemon, what is printed, and the keys."""
