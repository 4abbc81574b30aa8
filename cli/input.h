// Text that a command is given: all of it, or an error; and what was typed is never lost.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"

namespace fieldpost::cli {

// Everything up to a true end of file. A read that fails is an error: half a report is never taken
// for a whole one. invalid: more than `bytes_max`.
Outcome<std::string> read_standard_input(std::size_t bytes_max);

// Reads what a person types at the terminal of standard input, until Ctrl-D. A line may be of any
// length: the terminal's own line editing, which cuts at 4,095 bytes, is off. Backspace, Ctrl-W and
// Ctrl-U erase; Ctrl-C ends the program.
struct Typed {
    std::string text;
    // The terminal went, or the text is too long: `text` is what came so far.
    std::optional<Failure> broken_off;
};
Typed read_terminal(std::size_t bytes_max);

// Drafts are files of the person alone (0600), below $XDG_STATE_HOME or ~/.local/state.
// Nothing: it could not be kept.
std::optional<std::filesystem::path> keep_draft(const std::string& text);
std::optional<std::filesystem::path> last_draft();

// Opens $VISUAL, $EDITOR or vi on a new draft, and returns its file once the editor is closed.
Outcome<std::filesystem::path> edit_draft();

}  // namespace fieldpost::cli
