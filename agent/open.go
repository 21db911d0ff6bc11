package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/pointsman/pointsman/agent/internal/config"
	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus"
	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/identify"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/agent/internal/system/nft"
	"github.com/pointsman/pointsman/agent/internal/system/sonic"
	"github.com/pointsman/pointsman/agent/internal/templates"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
)

// opened is a switch that can be observed.
type opened struct {
	sys   system.Switch
	frr   *frr.Client
	found identify.Found
	// templates says which ones are in force, "" if they are the built-in ones; refused is why an operator's are not, or nil.
	templates string
	refused   error
}

func (o opened) close() {
	_ = o.frr.Close()
	o.sys.Close()
}

// backends open a network OS by its word, with what all of them need.
var backends = map[identify.OS]func(linux.Options) (system.Switch, error){
	identify.Linux:   func(o linux.Options) (system.Switch, error) { return linux.New(o) },
	identify.Cumulus: func(o linux.Options) (system.Switch, error) { return cumulus.New(cumulus.Options{Options: o}) },
	identify.SONiC:   func(o linux.Options) (system.Switch, error) { return sonic.New(sonic.Options{Linux: o}) },
}

// openSystem opens the network OS that the switch runs and FRR, and puts an operator's templates in force if they hold.
func openSystem(ctx context.Context, cfg config.Config, log *slog.Logger) (opened, error) {
	found, err := identify.On(os.DirFS("/"), cfg.NetworkOS)
	if err != nil {
		return opened{}, err
	}
	open, ok := backends[found.OS]
	if !ok {
		return opened{}, fmt.Errorf("open the switch: it runs %s (%s), which this agent cannot configure; network-os: linux treats it as plain Linux", found.OS, found.Why)
	}
	routing, configured := openFRR(found.OS, cfg, log)
	options := linux.Options{FRR: configured, Management: cfg.Management, BFDInterval: cfg.FRR.BFDInterval, Log: log}
	if err := nft.Supported(); err == nil {
		options.Protection, options.Protect = nft.Table{}, cfg.Protect.Plan()
	} else if cfg.Protect.Enabled {
		log.Warn("self-protection is off: this kernel has no nftables as it needs them (Linux 5.10, families inet and netdev)", "err", err)
	}
	sys, err := open(options)
	if err != nil {
		_ = routing.Close()
		return opened{}, err
	}
	o := opened{sys: sys, frr: routing, found: found}
	o.useTemplates(ctx, cfg, log)
	return o, nil
}

// triesTimeout is for all dry runs together.
const triesTimeout = 30 * time.Second

// useTemplates: what is refused is said, and is no reason not to run the switch.
func (o *opened) useTemplates(ctx context.Context, cfg config.Config, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, triesTimeout)
	defer cancel()
	set, err := templates.Load(ctx, cfg.FRR.TemplateDir, o.present(ctx, cfg), o.frr.DryRun)
	switch {
	case err != nil:
		o.refused, o.templates = err, "built-in; those of "+cfg.FRR.TemplateDir+" are refused: "+err.Error()
		log.Error("templates are refused; the built-in ones are in force", "dir", cfg.FRR.TemplateDir, "err", err)
	case set != nil:
		o.templates = "replaced by " + cfg.FRR.TemplateDir + ": " + strings.Join(set.Replaced(), ", ")
		log.Info("templates are replaced", "dir", cfg.FRR.TemplateDir, "files", strings.Join(set.Replaced(), ","))
		o.sys.UseTemplates(set)
	}
}

// present is this switch as its last intent wants it; none if there is no intent yet, or it makes no sense: that is said elsewhere.
func (o *opened) present(ctx context.Context, cfg config.Config) []frrtemplates.Input {
	last, err := intent.Read(cfg.StateDir)
	facts, errFacts := o.sys.Facts(ctx)
	if errors.Join(err, errFacts) != nil || !last.Known() {
		return nil
	}
	in, err := plan.FRRInput(last.Intent, facts)
	if err != nil {
		return nil
	}
	return []frrtemplates.Input{in}
}
