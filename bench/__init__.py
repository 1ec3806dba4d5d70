"""What tracing costs, and our server: `python -m bench` (four minutes), or with `--quick` (one).

    bench.http        requests per second and latency under Uvicorn, against the alternatives
    bench.inprocess   nanoseconds per send, without a server
    bench.memory      bytes and nanoseconds per event: in memory, packed, in a file
    bench.starting    milliseconds until the command line is ready
    bench.pictures    seconds and bytes of figures of up to 100,000 bars
    bench.servers     requests per second of our own server, against Uvicorn's

Machines drift: another process, the clock of the CPU, the weather. So what is compared is always
measured in turns, A B C A B C ..., and a figure is the median of the ratios of neighbours
(`bench.pairs`), never the ratio of two averages. Quartiles beside it say how far to trust it.
"""
