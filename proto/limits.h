// Every maximum that fieldpost enforces, each with its reason. Checked before anything is
// allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldpost::limits {

// A photographed case file fits. Anything larger would hold a 64 kbit/s link for over two hours.
inline constexpr std::size_t record_bytes_max = 64U << 20;
// Urgent records overtake everything, so one of them must not become large enough to hold up the
// others.
inline constexpr std::size_t urgent_record_bytes_max = 256U << 10;
// A header is kept verbatim by every carrier; 64 recipients need 1,392 bytes of it.
inline constexpr std::size_t header_bytes_max = 4096;
// Over this many recipients a group stanza is cheaper than stanzas of 20 bytes each.
inline constexpr std::size_t recipients_max = 64;
// A run of reports in one record: over 64 the overhead of one record is already under 4 B a report.
inline constexpr std::uint32_t run_count_max = 64;
// A pack larger than this would hold up an urgent record on a slow link for over a second.
inline constexpr std::size_t pack_body_bytes_max = 8192;
// A body is checked whole up to here: half a minute at 9.6 kbit/s.
inline constexpr std::size_t one_piece_bytes_max = 32768;
// A larger body is checked by segments of this many sealed bytes, so a bad carrier spoils one.
inline constexpr std::size_t segment_bytes = 16384;
// A year: longer, and prekeys must be kept so long that a taken machine opens too much.
inline constexpr std::uint32_t lifetime_seconds_max = 365U * 86400;
inline constexpr std::uint32_t lifetime_seconds_default = 90U * 86400;
// A register travels whole and first, also at 9.6 kbit/s.
inline constexpr std::size_t register_bytes_max = 4096;
inline constexpr std::size_t register_subject_bytes_max = 64;
// Enrolments of one invitation. Two of them prove that it was used twice; more prove nothing else.
inline constexpr std::size_t enrolments_max = 2;
// Frames without record data: HELLO, SUMMARY, custody.
inline constexpr std::size_t control_frame_bytes_max = 64U << 10;
// Any frame: a chunk of 16 KiB, or a control frame, and its envelope.
inline constexpr std::size_t frame_bytes_max = control_frame_bytes_max + 1024;
// The size of a leaf. Its list of registers may take several frames.
inline constexpr std::size_t leaf_bytes_max = 256U << 10;
// Several frames in one message fit one TCP segment. More would gain nothing.
inline constexpr std::size_t joined_frames_bytes_max = 1406;
// A roster change admits, replaces or cuts off one office; a cut-off lists logs.
inline constexpr std::size_t roster_change_bytes_max = 16384;
// Bytes that a key unknown to the roster may send before it is dropped.
inline constexpr std::size_t roster_continuation_bytes_max = 256U << 10;
inline constexpr std::size_t network_name_bytes_max = 64;
inline constexpr std::size_t office_name_bytes_max = 32;
inline constexpr std::size_t revocation_reason_bytes_max = 255;  // as its text8 can hold
inline constexpr std::size_t authority_keys_max = 16;
// Epochs of one group's key. Each ends because an office left; the first costs so many hashes.
inline constexpr std::uint16_t epochs_max = 8192;

// A report as a person writes it.
inline constexpr std::size_t text_bytes_max = 1U << 20;
inline constexpr std::size_t subject_code_points_max = 256;
inline constexpr std::size_t staff_code_points_max = 64;
inline constexpr std::size_t type_bytes_max = 64;
// Types of one office that get a number in the index of reports. More than any set of forms has.
inline constexpr std::size_t types_per_office_max = 64;
inline constexpr std::size_t fields_max = 256;
inline constexpr std::size_t field_key_bytes_max = 64;
inline constexpr std::size_t field_value_bytes_max = 4096;
inline constexpr std::size_t attachments_max = 64;
inline constexpr std::size_t attachment_name_bytes_max = 255;
inline constexpr std::size_t note_bytes_max = 4096;
// All of one run's report bytes before compression: text, fields and names of one report at most.
inline constexpr std::size_t report_bytes_max = 3U << 20;

// An interval set of one log in a register or summary: a register has room for no more.
inline constexpr std::size_t intervals_max = 65536;
// Logs of one office that other offices keep: eight lives of its store. A store that is re-created
// in a loop then costs only its own share.
inline constexpr std::size_t logs_per_office_max = 32;
// Incarnations of one office for which a fork is kept. With one more, the whole office is closed.
inline constexpr std::size_t fork_lives_max = 4;
// Runs of N of one log. 5,888 an office in all: a leaf that fits one frame, and 47 kB of memory.
inline constexpr std::size_t log_runs_max = 1024;
// Runs of N of a log below the author's highest incarnation, where it writes no more.
inline constexpr std::size_t old_log_runs_max = 64;
// Runs that one statement of custody tells, so that it fits a frame.
inline constexpr std::size_t custody_runs_max = 2048;
// Records of one log for whose proofs peers are asked at once.
inline constexpr std::size_t proofs_asked_max = 32;
// Refused runs of one log, for all reasons together.
inline constexpr std::size_t refused_runs_max = 1024;
// Bodies of one author under way here, and their bytes on disk: two bodies of the largest size.
inline constexpr std::size_t partials_max = 16;
inline constexpr std::size_t partial_bytes_max = 128U << 20;
// Endpoints that one office tells of itself.
inline constexpr std::size_t endpoints_max = 8;
inline constexpr std::size_t endpoint_bytes_max = 255;
inline constexpr std::size_t prekeys_max = 8;

}  // namespace fieldpost::limits
