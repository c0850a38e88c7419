package main

import "testing"

func TestLoadIsReadFromWrk(t *testing.T) {
	const output = `Running 2s test @ http://127.0.0.1:37025/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   491.91us  543.01us   1.84ms   84.85%
  Latency Distribution
     50%  182.51us
     99%  840.50us 
  178 requests in 2.09s, 31.81KB read
Requests/sec:     85.17
Transfer/sec:     15.22KB
`
	got, err := parseLoad(output)
	if want := (load{requests: 178, perSecond: 85.17, p99: 0.8405}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseLoad("unable to connect"); err == nil {
		t.Error("there is a load in what wrk says of a server that is down")
	}
}
