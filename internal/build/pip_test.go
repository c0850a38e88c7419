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
		"index of plain HTTP": {`Looking in indexes: http://10.0.0.1:8080/simple/
WARNING: The repository located at 10.0.0.1 is not a trusted or secure host and is being ignored. If this repository is available via HTTPS we recommend you use HTTPS instead, otherwise you may silence this warning and allow it anyway with '--trusted-host 10.0.0.1'.
ERROR: No matching distribution found for greeting
`, "No matching distribution found for greeting; The repository located at 10.0.0.1 is not a trusted or secure host: " +
			"use https, or name it as trusted-host in pip.conf; Looking in indexes: http://10.0.0.1:8080/simple/"},
		"native code without a compiler": {`      building 'native' extension
      error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory
      [end of output]
  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for native
Failed to build native
error: failed-wheel-build-for-install
× Failed to build installable wheels for some pyproject.toml based projects
╰─> native
`, "native has native code, and the runtime's image has no compiler: use a version that has a wheel for this Python on manylinux, " +
			"or an image with gcc and python3-dev as spec.runtimeImageOverride"},
		"a package that doesn't build": {`  error: subprocess-exited-with-error
  × Getting requirements to build wheel did not run successfully.
note: This error originates from a subprocess
`, "subprocess-exited-with-error"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lastWords(test.log, "packages"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
