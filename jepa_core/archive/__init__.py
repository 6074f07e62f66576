"""What people hold, read into scene records."""
