"""What tracing costs: `python -m bench` (three minutes), or with `--quick` (one).

    bench.http        requests per second and latency under Uvicorn, against the alternatives
    bench.inprocess   nanoseconds per send, without a server
    bench.memory      bytes and nanoseconds per event: in memory, packed, in a file
    bench.starting    milliseconds until the command line is ready

Machines drift: another process, the clock of the CPU, the weather. So what is compared is always
measured in turns, A B C A B C ..., and a figure is the median of the ratios of neighbours
(`bench.pairs`), never the ratio of two averages. Quartiles beside it say how far to trust it.
"""
