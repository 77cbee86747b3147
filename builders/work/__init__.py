"""What the jobs share: their units, files, workers and command lines, and how a release is written."""
