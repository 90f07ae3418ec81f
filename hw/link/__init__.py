"""The way to DRAM: AXI4 masters, the weight prefetcher and the clients that read and write."""
