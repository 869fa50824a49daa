"""Between text and types: load YAML into the model, render the model for the tools."""
