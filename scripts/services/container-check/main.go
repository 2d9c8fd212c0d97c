// container-check FOLDER reads docker-compose.yml and Dockerfile there by the code that docker
// compose and docker build read them with, and prints what they found as JSON; exit 1 where one is
// refused. The Compose Specification's own JSON Schema is part of the loader.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

type stage struct {
	Base     string   `json:"base"`
	Name     string   `json:"name"`
	Commands []string `json:"commands"`
}
type found struct {
	Project  *types.Project `json:"project"`
	Stages   []stage        `json:"stages"`
	Warnings []string       `json:"warnings"`
}

func compose(folder string) (*types.Project, error) {
	file := filepath.Join(folder, "docker-compose.yml")
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: file}},
		Environment: types.Mapping{},
	}, func(options *loader.Options) { options.Profiles = []string{"*"} })
}

func dockerfile(folder string) ([]stage, []string, error) {
	text, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	warnings := []string{}
	for _, warning := range parsed.Warnings {
		warnings = append(warnings, warning.Short)
	}
	lint := linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) {
			warnings = append(warnings, fmt.Sprintf("%s: %s", rule, message))
		},
	})
	read, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		return nil, nil, err
	}
	stages := []stage{}
	for _, one := range read {
		commands := []string{}
		for _, command := range one.Commands {
			commands = append(commands, fmt.Sprint(command))
		}
		stages = append(stages, stage{one.BaseName, one.Name, commands})
	}
	return stages, warnings, nil
}

func run(folder string) error {
	project, err := compose(folder)
	if err != nil {
		return fmt.Errorf("docker-compose.yml: %w", err)
	}
	stages, warnings, err := dockerfile(folder)
	if err != nil {
		return fmt.Errorf("Dockerfile: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode(found{project, stages, warnings})
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
