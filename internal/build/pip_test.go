package build

import "testing"

// As pip writes them, shortened.
func TestFailureOfPipSaysWhy(t *testing.T) {
	for name, test := range map[string]struct{ log, want string }{
		"no such version": {`Looking in indexes: http://index/simple/
ERROR: Could not find a version that satisfies the requirement greeting==2 (from versions: 1.0.0)
ERROR: No matching distribution found for greeting==2
`, "Could not find a version that satisfies the requirement greeting==2 (from versions: 1.0.0); No matching distribution found for greeting==2"},
		"another hash": {`Collecting greeting==1.0.0
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.
    greeting==1.0.0 from http://index/files/greeting-1.0.0-py3-none-any.whl (from -r requirements.txt (line 1)):
        Expected sha256 6ecb
             Got        5ecb
`, "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.; Expected sha256 6ecb; Got 5ecb"},
		"index is down": {`Looking in indexes: http://127.0.0.1:9/simple/
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f3ea8e4fe10>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/greeting/
ERROR: Could not find a version that satisfies the requirement greeting (from versions: none)
ERROR: No matching distribution found for greeting
`, "Could not find a version that satisfies the requirement greeting (from versions: none); No matching distribution found for greeting; " +
			"Failed to establish a new connection: [Errno 111] Connection refused; Looking in indexes: http://127.0.0.1:9/simple/"},
		"a package that doesn't build": {`  error: subprocess-exited-with-error
  × Getting requirements to build wheel did not run successfully.
note: This error originates from a subprocess
`, "subprocess-exited-with-error"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lastWords(test.log); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
