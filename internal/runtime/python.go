package runtime

import corev1 "k8s.io/api/core/v1"

// pythonInstall needs of an image only a shell, Python and pip: images of users
// stand in for the runtime's, too. Bytecode is compiled apart from pip, whose
// own is valid only with the files' times, which a layer doesn't keep.
const pythonInstall = `if [ -n "${EXTRA_CA_CERTIFICATES:-}" ]; then
  python3 -c 'import os, ssl
trusted = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
with open("/tmp/trusted.crt", "w") as both:
    for file in trusted, os.environ["EXTRA_CA_CERTIFICATES"]:
        both.write(open(file).read() + "\n")'
  export PIP_CERT=/tmp/trusted.crt
fi
python3 -c 'import os; os.makedirs("site-packages", exist_ok=True)'
python3 -m pip install --no-compile --target site-packages --requirement requirements.txt
python3 -m compileall -q --invalidation-mode unchecked-hash site-packages || true`

var python = Language{
	SourceFile:       "handler.py",
	DependenciesFile: "requirements.txt",
	FunctionDir:      "/kubeless",
	Install:          pythonInstall,
	Installed:        []string{"site-packages"},
	InstallEnv: map[string]string{
		"PIP_DISABLE_PIP_VERSION_CHECK": "1",
		"PIP_NO_CACHE_DIR":              "1",
		"PIP_NO_INPUT":                  "1",
		"PIP_NO_WARN_SCRIPT_LOCATION":   "1",
		"PIP_PROGRESS_BAR":              "off",
	},
	RegistryConfigFile: "pip.conf",
	RegistryConfigEnv:  "PIP_CONFIG_FILE",
	CertificatesEnv:    "EXTRA_CA_CERTIFICATES",
	Env: []corev1.EnvVar{
		{Name: "PYTHONPATH", Value: "/kubeless/site-packages:/kubeless"},
		{Name: "PYTHONUNBUFFERED", Value: "TRUE"},
	},
}
