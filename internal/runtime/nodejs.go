package runtime

// npmReasons writes npm's own error lines to where Kubernetes looks for a
// container's last words first. It would take the end of the output else, where
// npm may have put hundreds of lines of advice.
const npmReasons = `for log in /tmp/npm/_logs/*-debug-*.log; do
  [ -f "$log" ] || continue
  while IFS= read -r line; do
    line=${line#* }
    case $line in
    "error Usage:"*) break ;;
    "error gyp info"*|"error gyp http"*|"error gyp ERR! stack at"*) ;;
    "error "?*) printf 'npm %.300s\n' "$line" ;;
    esac
  done < "$log"
done > /dev/termination-log`

var nodejs = Language{
	SourceFile:       "handler.js",
	DependenciesFile: "package.json",
	FunctionDir:      "/usr/src/app/function",
	Install:          "npm install --omit=dev --no-audit --no-fund",
	LockFiles:        []string{"npm-shrinkwrap.json", "package-lock.json"},
	InstallLocked:    "npm ci --omit=dev --no-audit --no-fund",
	Reasons:          npmReasons,
	Installed:        []string{"node_modules"},
	// A stray npm update notice would end as the last line of a failure's message.
	InstallEnv:         map[string]string{"NPM_CONFIG_CACHE": "/tmp/npm", "NPM_CONFIG_UPDATE_NOTIFIER": "false"},
	RegistryConfigFile: ".npmrc",
	RegistryConfigEnv:  "npm_config_userconfig",
	CertificatesEnv:    "NODE_EXTRA_CA_CERTS",
}
