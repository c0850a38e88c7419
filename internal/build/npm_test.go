package build

import (
	"strings"
	"testing"
)

// As npm 12 writes them, shortened in what is repeated.
func TestFailureOfNpmSaysWhy(t *testing.T) {
	for name, test := range map[string]struct{ log, want string }{
		"no such package": {`npm error code E404
npm error 404 Not Found - GET https://npm.local/nosuch - no such package available
npm error 404
npm error 404  The requested resource 'nosuch@1' could not be found or you do not have permission to access it.
npm error 404
npm error 404 Note that you can also install from a
npm error 404 tarball, folder, http url, or git url.
`, "code E404; Not Found - GET https://npm.local/nosuch - no such package available; " +
			"The requested resource 'nosuch@1' could not be found or you do not have permission to access it."},
		"no such version": {`npm error code ETARGET
npm error notarget No matching version found for peer@9.
npm error notarget In most cases you or one of your dependencies are requesting a package version that doesn't exist.
`, "code ETARGET; No matching version found for peer@9."},
		"a version that is none": {`npm error code EINVALIDTAGNAME
npm error Invalid tag name "not a version!!" of package "peer@not a version!!": Tags may not have any characters that encodeURIComponent encodes.
`, `code EINVALIDTAGNAME; Invalid tag name "not a version!!" of package "peer@not a version!!": Tags may not have any characters that encodeURIComponent encodes.`},
		"the registry is down": {`npm error code ECONNREFUSED
npm error syscall connect
npm error errno ECONNREFUSED
npm error FetchError: request to http://127.0.0.1:9/peer failed, reason: connect ECONNREFUSED 127.0.0.1:9
npm error     at ClientRequest.<anonymous> (/usr/lib/npm/node_modules/minipass-fetch/lib/index.js:130:14)
npm error     at process.processTicksAndRejections (node:internal/process/task_queues:90:21) {
npm error   code: 'ECONNREFUSED',
npm error   port: 9,
npm error   type: 'system',
npm error   requiredBy: '.'
npm error }
npm error
npm error If you are behind a proxy, please make sure that the 'proxy' config is set properly.  See: 'npm help config'
`, "code ECONNREFUSED; FetchError: request to http://127.0.0.1:9/peer failed, reason: connect ECONNREFUSED 127.0.0.1:9"},
		"the registry refuses": {`npm error code E401
npm error Unable to authenticate, your authentication token seems to be invalid.
npm error To correct this please try logging in again with:
npm error   npm login
`, "code E401; Unable to authenticate, your authentication token seems to be invalid.; correct .npmrc in the Secret packages"},
		"a registry with a private CA": {`npm error code SELF_SIGNED_CERT_IN_CHAIN
npm error errno SELF_SIGNED_CERT_IN_CHAIN
npm error request to https://npm.local/peer failed, reason: self-signed certificate in certificate chain
`, "code SELF_SIGNED_CERT_IN_CHAIN; request to https://npm.local/peer failed, reason: self-signed certificate in certificate chain; " +
			"put the certificate of the registry's CA under ca.crt into the Secret packages"},
		"versions that don't go together": {`npm error code ERESOLVE
npm error ERESOLVE unable to resolve dependency tree
npm error
npm error While resolving: undefined@undefined
npm error Found: peer@2.0.0
npm error node_modules/peer
npm error   peer@"2" from the root project
npm error
npm error Could not resolve dependency:
npm error peer peer@"^1.0.0" from plugin@1.0.0
npm error node_modules/plugin
npm error   plugin@"1" from the root project
npm error
npm error Fix the upstream dependency conflict, or retry this command with --force or --legacy-peer-deps to accept an incorrect (and potentially broken) dependency resolution.
npm error
npm error For a full report see:
npm error /tmp/npm/_logs/2026-01-01T00_00_00_000Z-eresolve-report.txt
`, `code ERESOLVE; Found: peer@2.0.0; node_modules/peer; peer@"2" from the root project; Could not resolve dependency:; peer peer@"^1.0.0" from plugin@1.0.0; ` +
			`node_modules/plugin; plugin@"1" from the root project; ask for versions that go together, or set legacy-peer-deps=true in .npmrc of the Secret packages`},
		"a script that fails": {`npm error code 3
npm error path /workspace/node_modules/@shop/tool
npm error command failed
npm error command sh -c node install.js
npm error one
npm error two
`, "a script of the package @shop/tool failed; code 3; command sh -c node install.js; one; two"},
		"native code without Python": {`npm error code 1
npm error path /workspace/node_modules/native
npm error command failed
npm error command sh -c node-gyp rebuild
npm error gyp info it worked if it ends with ok
npm error gyp ERR! find Python 
npm error gyp ERR! find Python Python is not set from environment variable PYTHON
npm error gyp ERR! configure error 
npm error gyp ERR! stack Error: Could not find any Python installation to use
npm error gyp ERR! not ok
`, "native has native code, and the runtime's image has no compiler: use a version with prebuilt binaries, or an image with python3, make and g++ as spec.runtimeImageOverride"},
		"native code without make": {`npm error code 1
npm error path /workspace/node_modules/native
npm error gyp ERR! stack Error: not found: make
`, "native has native code, and the runtime's image has no compiler: use a version with prebuilt binaries, or an image with python3, make and g++ as spec.runtimeImageOverride"},
		"a lock that disagrees": {"npm error code EUSAGE\n" + `npm error
npm error ` + "`npm ci` can only install packages when your package.json and package-lock.json are in sync. Please update your lock file with `npm install` before continuing." + `
npm error
npm error Missing: plugin@1.0.0 from lock file
npm error
npm error Clean install a project
npm error
npm error Usage:
npm error npm ci
npm error   --install-strategy
npm error     Sets the strategy for installing packages in node_modules.
`, "code EUSAGE; `npm ci` can only install packages when your package.json and package-lock.json are in sync. " +
			"Please update your lock file with `npm install` before continuing.; Missing: plugin@1.0.0 from lock file"},
		"another content than the lock has": {`npm warn tarball tarball data for greeting@https://npm.local/greeting/-/greeting-1.1.0.tgz (sha512-AAAA) seems to be corrupted. Trying again.
npm error code EINTEGRITY
npm error sha512-AAAA integrity checksum failed when using sha512: wanted sha512-AAAA but got sha512-tZlY. (190 bytes)
`, "code EINTEGRITY; sha512-AAAA integrity checksum failed when using sha512: wanted sha512-AAAA but got sha512-tZlY. (190 bytes)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lastWords(test.log, "packages"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestNoMessageShowsWhatLogsInToPackageRegistries(t *testing.T) {
	config := map[string][]byte{
		".npmrc": []byte("registry=https://npm.local/\n//npm.local/:_authToken=t0ken-of-ann\n//other.local/:_auth = \"" + "YW5uOnMzY3JldA==" + "\"\n" +
			"//third.local/:username=ann\n//third.local/:_password=cGFzc3dvcmQx\n//fourth.local/:_authToken=${TOKEN}\nsave=no\n"),
		"pip.conf": []byte("[global]\nindex-url = https://ann:p%40ss@pypi.local/simple/\nextra-index-url = https://t0ken-alone@pypi.local/simple/\n"),
		"ca.crt":   []byte("-----BEGIN CERTIFICATE-----\n"),
	}
	said := "t0ken-of-ann YW5uOnMzY3JldA== ann:s3cret s3cret cGFzc3dvcmQx password1 p%40ss p@ss t0ken-alone no registry https ${TOKEN} CERTIFICATE"
	want := strings.Repeat("*** ", 9) + "no registry https ${TOKEN} CERTIFICATE"
	if got := hide(said, secretsOf(config)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := secretsOf(nil); got != nil {
		t.Errorf("without configuration, %q are secret", got)
	}
}
