package command

import "github.com/spf13/cobra"

// filterFlag gives a list the API's filter. The API reads it: what is wrong in it, the API says.
func filterFlag(cmd *cobra.Command, filter *string, example string) {
	cmd.Flags().StringVar(filter, "filter", "", "only those that fit, such as '"+example+"'")
	fixed(cmd, "filter")
	cmd.Long = cmd.Short + `.

--filter takes conditions FIELD OPERATOR VALUE, joined by AND. A field is named as in the API, with a point into what it holds
(connections.switch, labels.owner). Text goes with =, != and : (a part of it, in either case), numbers with =, !=, <, <=, > and >=,
words such as free and true with = and !=. A value with spaces stands in double quotes.`
}
