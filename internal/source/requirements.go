package source

import "strings"

// requirements is a requirements.txt without comments of whole lines and empty
// lines. The rest is for pip to judge, in its order: options apply to what
// follows them.
func requirements(text string) Manifest {
	var kept []string
	continued := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		trimmed := strings.TrimSpace(line)
		// A line that goes on, as those with hashes do, is left as it is.
		if !continued && (trimmed == "" || strings.HasPrefix(trimmed, "#")) {
			continue
		}
		continued = strings.HasSuffix(line, `\`)
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		return nil
	}
	return Manifest(strings.Join(kept, "\n") + "\n")
}
