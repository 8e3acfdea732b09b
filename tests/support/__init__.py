"""What tests are written with: rows made through the services, the database of a run, clocks, threads, tampering."""
