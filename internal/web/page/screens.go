package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

//go:embed templates/*.html static/*
var embedded embed.FS

// screens are the page's templates by name, each within the frame.
type screens map[string]*template.Template

const frameFile = "frame.html"

func loadScreens() (screens, error) {
	names, err := fs.Glob(embedded, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := screens{}
	for _, name := range names {
		if path.Base(name) == frameFile {
			continue
		}
		t, err := template.ParseFS(embedded, "templates/"+frameFile, name)
		if err != nil {
			return nil, fmt.Errorf("screen %s: %w", name, err)
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return all, nil
}

// whole makes a screen, or nothing of it.
func (all screens) whole(screen string, f any) ([]byte, error) {
	var page bytes.Buffer
	if err := all[screen].ExecuteTemplate(&page, frameFile, f); err != nil {
		return nil, fmt.Errorf("screen %s: %w", screen, err)
	}
	return page.Bytes(), nil
}

// part renders one block of a screen, for its live part.
func (all screens) part(screen, block string, f any) (string, error) {
	var out bytes.Buffer
	if err := all[screen].ExecuteTemplate(&out, block, f); err != nil {
		return "", fmt.Errorf("part %s of screen %s: %w", block, screen, err)
	}
	return out.String(), nil
}
