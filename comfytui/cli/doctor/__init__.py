"""`comfytui doctor`: what this terminal, these settings and these servers are like, and the lines that fix what is wrong."""
