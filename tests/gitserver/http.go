package gitserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// HTTP serves the repositories below the root by git's own program. With a
// user, only that one is let in.
func HTTP(root, user, password string) (http.Handler, error) {
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("find git's programs: %w; install git", err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "PATH=" + os.Getenv("PATH"),
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		},
		Stderr: io.Discard, // What clients ask for in vain.
	}
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		gotUser, gotPassword, _ := request.BasicAuth()
		if user != "" && (gotUser != user || gotPassword != password) {
			response.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(response, request)
	}), nil
}
