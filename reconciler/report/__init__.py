"""Plans and outcomes as text: pure functions to the terminal, Markdown, HTML and JSON; nothing here prints."""
