package extension_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/blues/jsonata-go"
)

// Names that the dashboard registers (version 0.5 of its extensions).
var (
	viewWidgets = strings.Fields(`Null APIRuleHost Alert Card Badge CodeViewer Columns ConditionList ControlledBy EventList
		ExternalLink JoinedArray Labels Panel Plain ResourceButton ExternalLinkButton RadialChart ResourceLink ResourceList
		ResourceRefs Section StatisticalCard Table Tabs Text Wizard FeaturedCard TimeFromNow`)
	formWidgets = strings.Fields(`Text Number Switch Jsonata SimpleList GenericList Name KeyValuePair CodeEditor FormGroup
		ResourceRef Resource Alert MultiCheckbox MultiType Modules`)
	expressions = []string{"source", "visibility", "filter", "language", "alert"}
)

var (
	fieldPath = regexp.MustCompile(`\b(?:spec|status)(?:\.[a-zA-Z]+)+`)
	itemOf    = regexp.MustCompile(`(?:\$item|\$root)\.`)
	sourceOf  = regexp.MustCompile(`^\$([a-zA-Z]+)\(\)$`)
)

type check struct {
	schema   *fields
	data     map[string]any
	used     map[string]bool
	mistakes []string
}

// mistakes of an extension, each with the place.
func mistakes(extension map[string]any, schema *fields) []string {
	c := &check{schema: schema, used: map[string]bool{}}
	c.data, _ = extension["dataSources"].(map[string]any)
	for name, source := range c.data {
		c.expression("dataSources."+name, source.(map[string]any)["filter"], false)
	}
	for _, key := range []string{"list", "details"} {
		c.view(key, extension[key])
	}
	c.form("form", "", extension["form"])
	c.used[fmt.Sprint(extension["general"].(map[string]any)["description"])] = true
	c.texts(extension["translations"])
	presets, _ := extension["presets"].([]any)
	for _, preset := range presets {
		preset := preset.(map[string]any)
		for _, err := range schema.validate(preset["value"]) {
			c.add("preset %s: %v", preset["name"], err)
		}
	}
	return c.mistakes
}

func (c *check) add(format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Sprintf(format, args...))
}

func (c *check) view(place string, part any) {
	switch part := part.(type) {
	case []any:
		for index, child := range part {
			c.view(fmt.Sprintf("%s[%d]", place, index), child)
		}
	case map[string]any:
		c.row(place, part, viewWidgets)
		for _, key := range []string{"header", "body", "status", "children"} {
			c.view(place+"."+key, part[key])
		}
	}
}

func (c *check) form(place, parent string, part any) {
	rows, _ := part.([]any)
	for index, child := range rows {
		row := child.(map[string]any)
		place := fmt.Sprintf("%s[%d]", place, index)
		c.row(place, row, formWidgets)
		path := strings.Trim(parent+"."+fmt.Sprint(row["path"]), ".")
		path = strings.ReplaceAll(path, ".[]", "[]")
		field := c.schema.find(path)
		if field == nil {
			c.add("%s: no field %s", place, path)
			continue
		}
		choices, _ := row["enum"].([]any)
		for _, choice := range choices {
			if allowed := field.choices(); len(allowed) > 0 && !slices.Contains(allowed, fmt.Sprint(choice)) {
				c.add("%s: %s can't be %v", place, path, choice)
			}
		}
		c.form(place, path, row["children"])
	}
}

// row checks what rows of pages and of forms have in common.
func (c *check) row(place string, row map[string]any, widgets []string) {
	if widget, ok := row["widget"].(string); ok && !slices.Contains(widgets, widget) {
		c.add("%s: no widget %s", place, widget)
	}
	if name, ok := row["name"].(string); ok {
		c.used[name] = true
	}
	for _, key := range expressions {
		c.expression(place+"."+key, row[key], true)
	}
	if alert, ok := row["alert"].(string); ok {
		c.used[strings.Trim(alert, `"`)] = true
	}
}

// expression checks the syntax, and the fields of the resource if it is about them.
func (c *check) expression(place string, value any, ofResource bool) {
	text, ok := value.(string)
	if !ok {
		return
	}
	if _, err := jsonata.Compile(text); err != nil {
		c.add("%s: expression %s: %v", place, text, err)
		return
	}
	if match := sourceOf.FindStringSubmatch(text); match != nil && c.data[match[1]] == nil {
		c.add("%s: no data source $%s", place, match[1])
	}
	if !ofResource || itemOf.MatchString(text) {
		return
	}
	for _, path := range fieldPath.FindAllString(text, -1) {
		if c.schema.find(path) == nil {
			c.add("%s: no field %s", place, path)
		}
	}
}

func (c *check) texts(translations any) {
	for language, texts := range translations.(map[string]any) {
		texts := texts.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(c.used)) {
			if text, _ := texts[key].(string); text == "" {
				c.add("%s: %s has no text", language, key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			if !c.used[key] {
				c.add("%s: %s is not used", language, key)
			}
		}
	}
}
