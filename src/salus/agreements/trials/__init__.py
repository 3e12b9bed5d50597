"""What the parties of a clinical trial compute alike: the plan of a protocol, and what data says against it."""
