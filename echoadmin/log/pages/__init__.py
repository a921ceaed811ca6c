"""What the log's pages are made of: what was asked, its rows, a row opened, the bars."""
