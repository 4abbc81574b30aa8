// Text that a command is given. A command gets all of it, or an error. Typed text is never lost.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"

namespace fieldpost::cli {

// Everything up to a true end of file. A read that fails is an error, so that half a report is
// never taken for a whole one. invalid: more than `bytes_max`.
Outcome<std::string> read_standard_input(std::size_t bytes_max);

// Reads the text that a person types at the terminal of standard input, until Ctrl-D. A line may
// have any length, because the terminal's own line editing is off: it cuts lines at 4,095 bytes.
// Backspace, Ctrl-W and Ctrl-U erase. Ctrl-C ends the program.
struct Typed {
    std::string text;
    // The terminal went away, or the text is too long. `text` is the part that came before.
    std::optional<Failure> broken_off;
};
Typed read_terminal(std::size_t bytes_max);

// Drafts are files that only the person may read (0600), below $XDG_STATE_HOME or ~/.local/state.
// Nothing: the draft could not be kept.
std::optional<std::filesystem::path> keep_draft(const std::string& text);
std::optional<std::filesystem::path> last_draft();

// Opens $VISUAL, $EDITOR or vi on a new draft, and returns its file once the editor is closed.
Outcome<std::filesystem::path> edit_draft();

}  // namespace fieldpost::cli
