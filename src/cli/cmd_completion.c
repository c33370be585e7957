/* SPDX-License-Identifier: Apache-2.0 */
/* cilium completion: scripts for shells. They ask the program, see src/cli/complete.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/complete.h"

/*
 * Bash breaks words at ':' and '=', which ids and flags hold, and replaces only what is behind the last
 * of them: so the line is split anew, and what bash keeps is taken off the candidates.
 */
static const char bash_script[] =
	"# bash completion for cilium; source it, or install it as "
	"bash-completion/completions/cilium\n"
	"_cilium()\n"
	"{\n"
	"\tlocal line=\"${COMP_LINE:0:COMP_POINT}\" words=() candidate begun kept\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	"\tbegun=\"${words[-1]}\"\n"
	"\tkept=\"${begun%\"${begun##*[=:]}\"}\"\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r candidate; do\n"
	"\t\tif [[ $candidate == " COMPLETE_FILES " ]]; then\n"
	"\t\t\tcompopt -o default\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tcandidate=\"${candidate%%$'\\t'*}\"\n"
	"\t\t[[ $candidate == *[=:] ]] && compopt -o nospace\n"
	"\t\tCOMPREPLY+=(\"${candidate#\"$kept\"}\")\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" " COMPLETE_WORD " \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _cilium cilium cilium-dbg\n";

static const char zsh_script[] =
	"#compdef cilium cilium-dbg\n"
	"# zsh completion for cilium; source it, or install it as _cilium where fpath looks\n"
	"_cilium()\n"
	"{\n"
	"\tlocal line word\n"
	"\tlocal -a plain open\n"
	"\tlocal -a lines\n"
	"\tlines=(\"${(@f)$(\"${words[1]}\" " COMPLETE_WORD
	" \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tfor line in \"${lines[@]}\"; do\n"
	"\t\t[[ -n $line ]] || continue\n"
	"\t\tif [[ $line == " COMPLETE_FILES " ]]; then\n"
	"\t\t\tcompset -P '*='\n"
	"\t\t\t_files\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tword=\"${line%%$'\\t'*}\"\n"
	"\t\tif [[ $line == *$'\\t'* ]]; then\n"
	"\t\t\tline=\"${word//:/\\\\:}:${line#*$'\\t'}\"\n"
	"\t\telse\n"
	"\t\t\tline=\"${word//:/\\\\:}\"\n"
	"\t\tfi\n"
	"\t\tif [[ $word == *[=:] ]]; then open+=(\"$line\"); else plain+=(\"$line\"); fi\n"
	"\tdone\n"
	"\t(( $#plain )) && _describe -t words cilium plain\n"
	"\t(( $#open )) && _describe -t words cilium open -S ''\n"
	"}\n"
	"if [[ ${funcstack[1]} == _cilium ]]; then _cilium \"$@\"; else compdef _cilium cilium "
	"cilium-dbg; fi\n";

static const char fish_script[] =
	"# fish completion for cilium; source it, or install it as "
	"vendor_completions.d/cilium.fish\n"
	"function __cilium_candidates\n"
	"\tset -l words (commandline -opc) (commandline -ct)\n"
	"\t$words[1] " COMPLETE_WORD " $words[2..-1] 2>/dev/null\n"
	"end\n"
	"for program in cilium cilium-dbg\n"
	"\tcomplete -c $program -f -a '(__cilium_candidates | string match -v " COMPLETE_FILES
	")'\n"
	"\tcomplete -c $program -F -n '__cilium_candidates | string match -q " COMPLETE_FILES "'\n"
	"end\n";

static int run_completion(int argc, char *const argv[])
{
	static const struct {
		const char *shell, *script;
	} scripts[] = {{"bash", bash_script}, {"fish", fish_script}, {"zsh", zsh_script}};

	for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++)
		if (!strcmp(argv[0], scripts[i].shell)) {
			fputs(scripts[i].script, stdout);
			return EXIT_SUCCESS;
		}
	return cli_fail_usage("shell \"%s\": expected bash, fish or zsh", argv[0]);
}

const struct cli_command cmd_completion = {
	.path = "completion",
	.args = "bash | fish | zsh",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Print the completion script of a shell",
	.choices = "bash fish zsh",
	.run = run_completion,
};
