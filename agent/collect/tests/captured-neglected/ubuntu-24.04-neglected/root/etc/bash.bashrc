# System-wide .bashrc file
