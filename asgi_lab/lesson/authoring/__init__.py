"""For those who write the course: notebooks and stubs made from one source each."""
