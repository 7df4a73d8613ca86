"""--format: Go templates."""

from __future__ import annotations

import pytest

from composer.cli.template import Template, TemplateError

ROW = {
    "Name": "web",
    "State": "running",
    "ExitCode": 0,
    "Id": "abc123",
    "Labels": {"b": "2", "a": "1"},
    "Ports": ["80", "443"],
    "Config": {"Env": ["A=1"], "Healthcheck": None},
    "Running": True,
    "Mounts": [{"Source": "/a", "RW": True}, {"Source": "/b", "RW": False}],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}} {{.State}}", "web running"),
        ("{{ .Name }}", "web"),
        ("{{.ID}}", "abc123"),  # Go's field, JSON's Id
        ("{{json .Ports}}", '["80","443"]'),
        ("{{.Config | json}}", '{"Env":["A=1"],"Healthcheck":null}'),
        ('{{join .Ports ","}}', "80,443"),
        ('{{.Name | upper | printf "%-6s|"}}', "WEB   |"),
        ('{{index .Labels "a"}}', "1"),
        ("{{index .Ports 1}}", "443"),
        ("{{len .Ports}}", "2"),
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if not .Running}}down{{else if eq .ExitCode 0}}fine{{end}}", "fine"),
        ("{{range .Ports}}[{{.}}]{{end}}", "[80][443]"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range $i, $p := .Ports}}{{$i}}:{{$p}} {{end}}", "0:80 1:443 "),
        ("{{range .Mounts}}{{if .RW}}{{.Source}}{{end}}{{end}}", "/a"),
        ("{{with .Config}}{{.Env}}{{end}}", "[A=1]"),
        ("{{range .Nothing}}x{{else}}none{{end}}", "none"),
        ("{{$n := .Name}}{{$n}}-{{$.State}}", "web-running"),
        ("{{.Labels}}", "map[a:1 b:2]"),
        ("{{.Config.Missing}}", "<no value>"),
        ("{{(index .Mounts 0).Source}}", "/a"),
        ("a {{- .Name -}} b", "awebb"),
        ("{{/* nothing */}}x", "x"),
        (r"{{.Name}}\t{{.State}}", "web\trunning"),
        ('{{println "a" 1}}', "a 1\n"),
        ("{{truncate .State 3}}", "run"),
        ("{{pad .Name 1 2}}|", " web  |"),
        ('{{and .Running .Name}} {{or "" .State}}', "web running"),
        ("no action", "no action"),
    ],
)
def test_render(template: str, text: str) -> None:
    strict = ".Nothing" not in template
    assert Template(template, strict=strict).render(ROW) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{.Nosuch}}", "can't evaluate field Nosuch"),
        ("{{.Name", "unclosed action"),
        ("{{if .Name}}x", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{nofunc .Name}}", 'function "nofunc" not defined'),
        ("{{index .Ports 9}}", "error calling index"),
        ("{{.Name | 5}}", "is no function"),
        ("{{}}", "missing value"),
    ],
)
def test_mistakes_are_told(template: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(template).render(ROW)
    assert words in caught.value.message
