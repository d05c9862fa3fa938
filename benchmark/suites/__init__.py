"""What a suite asks for, and the units that it stands for."""
