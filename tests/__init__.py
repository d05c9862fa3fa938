"""One folder a room of the project; helpers/ holds what several of them share."""
