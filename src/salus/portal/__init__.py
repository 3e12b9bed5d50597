"""The pages of a member's node: parse a form, call one use case, render. They work without JavaScript."""
