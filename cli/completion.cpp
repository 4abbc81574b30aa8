// The words that a shell offers after Tab: commands and options, as the parser knows them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace fieldpost::cli {

namespace {

// "roster" and "roster confirm", with the words that may follow each.
struct Place {
    std::string path;
    std::vector<std::pair<std::string, std::string>> words;  // each with its description
};

void gather(const CLI::App& app, const CLI::App& root, const std::string& path,
            std::vector<Place>& places) {
    Place place{path, {}};
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        place.words.emplace_back(command->get_name(), command->get_description());
        gather(*command, root,
               path.empty() ? command->get_name() : path + " " + command->get_name(), places);
    }
    const auto add_options = [&](const CLI::App& of) {
        for (const auto* option : of.get_options()) {
            for (const auto& name : option->get_lnames()) {
                place.words.emplace_back("--" + name, option->get_description());
            }
        }
    };
    add_options(app);
    if (&app != &root) {
        add_options(root);
    }
    places.push_back(std::move(place));
}

std::string joined(const Place& place) {
    std::string words;
    for (const auto& [word, description] : place.words) {
        words += (words.empty() ? "" : " ") + word;
    }
    return words;
}

std::string shell_quoted(std::string_view words) {
    std::string result;
    for (const char c : words) {
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return result;
}

// Prints cases that find the command from the words so far. Each word that is a subcommand leads on
// to it.
void print_path_cases(const std::vector<Place>& places) {
    fmt::print("        case \"$at $word\" in\n");
    for (const auto& place : places) {
        if (!place.path.empty()) {
            const auto space = place.path.rfind(' ');
            const auto before = space == std::string::npos ? "" : place.path.substr(0, space);
            const auto last =
                space == std::string::npos ? place.path : place.path.substr(space + 1);
            fmt::print("            '{} {}') at='{}' ;;\n", before, last, place.path);
        }
    }
    fmt::print("        esac\n    done\n    case \"$at\" in\n");
}

void print_bash(const std::vector<Place>& places) {
    fmt::print(
        "_fieldpost() {{\n"
        "    local at=\"\" word words\n"
        "    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n");
    print_path_cases(places);
    for (const auto& place : places) {
        fmt::print("        '{}') words=\"{}\" ;;\n", place.path, joined(place));
    }
    fmt::print(
        "    esac\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
        "}}\n"
        "complete -o default -F _fieldpost fieldpost\n");
}

void print_zsh(const std::vector<Place>& places) {
    fmt::print(
        "#compdef fieldpost\n"
        "_fieldpost() {{\n"
        "    local at=\"\" word; local -a offered\n"
        "    for word in \"${{(@)words[2,CURRENT-1]}}\"; do\n");
    print_path_cases(places);
    for (const auto& place : places) {
        fmt::print("        '{}') offered=(", place.path);
        for (const auto& [word, description] : place.words) {
            fmt::print(" '{}:{}'", word, shell_quoted(description));
        }
        fmt::print(" ) ;;\n");
    }
    fmt::print(
        "    esac\n"
        "    _describe fieldpost offered || _files\n"
        "}}\n"
        "compdef _fieldpost fieldpost\n");
}

void print_fish(const std::vector<Place>& places) {
    for (const auto& place : places) {
        const auto space = place.path.rfind(' ');
        const auto last = space == std::string::npos ? place.path : place.path.substr(space + 1);
        const auto when = place.path.empty() ? std::string("__fish_use_subcommand")
                                             : "__fish_seen_subcommand_from " + last;
        for (const auto& [word, description] : place.words) {
            const bool is_option = word.starts_with("--");
            fmt::print("complete -c fieldpost {}{} {} -d '{}'\n",
                       is_option && place.path.empty() ? "" : fmt::format("-n '{}' ", when),
                       is_option ? "-l" : "-f -a", is_option ? word.substr(2) : word,
                       shell_quoted(description));
        }
    }
}

}  // namespace

void add_completion(CLI::App& app, const Common&, Run& run) {
    auto* command = app.add_subcommand("completion", "what a shell offers after Tab");
    auto shell = std::make_shared<std::string>();
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->footer(
        "Example: fieldpost completion bash > ~/.local/share/bash-completion/"
        "completions/fieldpost");
    command->callback([&app, &run, shell] {
        run = [&app, shell] {
            std::vector<Place> places;
            gather(app, app, "", places);
            if (*shell == "bash") {
                print_bash(places);
            } else if (*shell == "zsh") {
                print_zsh(places);
            } else {
                print_fish(places);
            }
            return exit_done;
        };
    });
}

}  // namespace fieldpost::cli
