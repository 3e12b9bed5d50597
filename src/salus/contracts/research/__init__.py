"""Research on shared data: offers, permits, questions and one privacy budget. See README.md."""
