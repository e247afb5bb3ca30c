-- What wrk measured, one `name value` a line, as bench-load tells it.
function done(summary, latency, requests)
   local e = summary.errors
   print(string.format("\nrequests %d", summary.requests))
   print(string.format("errors %d", e.connect + e.read + e.write + e.status + e.timeout))
   print(string.format("seconds %.6f", summary.duration / 1e6))
   print(string.format("received %.0f", summary.bytes))
   print("sent 0")
   print(string.format("p50_us %.1f", latency:percentile(50)))
   print(string.format("p99_us %.1f", latency:percentile(99)))
   print(string.format("p999_us %.1f", latency:percentile(99.9)))
end
