# cmprequest.tcl --
#       Requests by HTTP, taken from what the clients of tls::cmp's servers have sent. Fields and chunks are
#       read here for cmpclient.tcl, too.

# tls::CmpTake --
#       Takes a request from what was read.
#
# Arguments:
#       token       The server.
#       client      The number of the connection.
#
# Results:
#       A list: "more" if it isn't complete; "answer", whether to keep the connection, and the body; or
#       an HTTP status, 0 and a text for what can't be answered.
proc ::tls::CmpTake {token client} {
    variable cmpJobs
    variable cmpInputs
    variable cmpBodies
    variable cmpLargestHead
    variable cmpLargestRequest
    set head [dict get $cmpJobs($token) clients $client head]
    if {$head eq {}} {
        set end [string first \r\n\r\n $cmpInputs($client)]
        if {$end > $cmpLargestHead || $end < 0 && [string length $cmpInputs($client)] > $cmpLargestHead} {
            return {"431 Request Header Fields Too Large" 0 {}}
        }
        if {$end < 0} {
            return more
        }
        set head [CmpHead [string range $cmpInputs($client) 0 $end-1]]
        if {[dict exists $head status]} {
            return [list [dict get $head status] 0 [dict get $head text]]
        }
        set cmpInputs($client) [string range $cmpInputs($client) $end+4 end]
        set cmpBodies($client) {}
        dict set cmpJobs($token) clients $client head $head
        if {[dict get $head expects] && $cmpInputs($client) eq {}} {
            set channel [dict get $cmpJobs($token) clients $client channel]
            catch {
                puts -nonewline $channel "HTTP/1.1 100 Continue\r\n\r\n"
                flush $channel
            }
        }
    }
    set length [dict get $head length]
    if {$length < 0} {
        switch [CmpChunks cmpInputs($client) cmpBodies($client)] {
            bad {return {"400 Bad Request" 0 "the chunks are malformed\n"}}
            more {
                set length [string length $cmpBodies($client)]
                if {$length + [string length $cmpInputs($client)] > $cmpLargestRequest} {
                    return {"413 Content Too Large" 0 {}}
                }
                return more
            }
        }
        set body $cmpBodies($client)
        if {[string length $body] > $cmpLargestRequest} {
            return {"413 Content Too Large" 0 {}}
        }
    } else {
        if {[string length $cmpInputs($client)] < $length} {
            return more
        }
        set body [string range $cmpInputs($client) 0 [expr {$length - 1}]]
        set cmpInputs($client) [string range $cmpInputs($client) $length end]
    }
    dict set cmpJobs($token) clients $client head {}
    # A client that has closed his side is answered what he has sent, and no more.
    set last [expr {[dict get $cmpJobs($token) clients $client ended] && $cmpInputs($client) eq {}}]
    return [list answer [expr {[dict get $head keep] && !$last}] $body]
}

# tls::CmpHead --
#       Takes the head of a request apart.
#
# Arguments:
#       head        The head, without its last line end.
#
# Results:
#       A dict: the length of the body, less than 0 for one in chunks; whether to keep the
#       connection; and whether the client expects to be told to go on. Or the HTTP status for what
#       can't be answered, and a text.
proc ::tls::CmpHead {head} {
    variable cmpLargestRequest
    set lines [split [string map [list \r\n \n] $head] \n]
    if {![regexp {^(\S+) (\S+) HTTP/1\.(\d)$} [lindex $lines 0] -> method target minor]} {
        return {status "400 Bad Request" text {}}
    }
    if {$method ne "POST"} {
        return {status "405 Method Not Allowed" text {}}
    }
    regsub {^https?://[^/]*} $target {} target
    if {![regexp {^/?$|^/pkix/?$|^/\.well-known/cmp(/|$)} $target]} {
        return {status "404 Not Found" text "the path must be empty, pkix/ or .well-known/cmp\n"}
    }
    set lines [lrange $lines 1 end]
    set fields [CmpFields $lines]
    # What another server in front may understand in another way isn't guessed at.
    if {[CmpIsTwice $lines {host content-length transfer-encoding}]} {
        return {status "400 Bad Request" text "a field is there twice\n"}
    }
    if {[lsearch -not -regexp $lines {^[^:\s]+:}] >= 0} {
        return {status "400 Bad Request" text "a line is no field\n"}
    }
    if {$minor ne "0" && ![dict exists $fields host]} {
        return {status "400 Bad Request" text "the field Host is missing\n"}
    }
    set type [string tolower [string trim [lindex [split [CmpField $fields content-type] ";"] 0]]]
    if {$type ne "application/pkixcmp"} {
        return {status "415 Unsupported Media Type" text {}}
    }
    set length [CmpField $fields content-length]
    set coding [string tolower [CmpField $fields transfer-encoding]]
    if {$coding ne {}} {
        if {$length ne {} || $minor eq "0"} {
            return {status "400 Bad Request" text "chunks have no length\n"}
        }
        if {$coding ne "chunked"} {
            return {status "501 Not Implemented" text {}}
        }
        set length -1
    } elseif {![regexp {^0*(\d+)$} $length -> length]} {
        return {status "411 Length Required" text {}}
    } elseif {[string length $length] > 9 || $length > $cmpLargestRequest} {
        return {status "413 Content Too Large" text {}}
    }
    set connection [split [string tolower [string map {" " {}} [CmpField $fields connection]]] ,]
    set keep [expr {$minor eq "0" ? "keep-alive" in $connection : "close" ni $connection}]
    set expects [expr {$minor ne "0" && [string tolower [CmpField $fields expect]] eq "100-continue"}]
    return [dict create length $length keep $keep expects $expects]
}

# tls::CmpChunks --
#       Puts the chunks of a body together that are there.
#
# Arguments:
#       inputVar    The variable with what was read; only what isn't dealt with yet stays in it.
#       bodyVar     The variable that the body is appended to.
#
# Results:
#       "done", "more", or "bad".
proc ::tls::CmpChunks {inputVar bodyVar} {
    variable cmpLargestHead
    upvar 1 $inputVar input $bodyVar body
    set at 0
    set outcome more
    while {[set end [string first \r\n $input $at]] >= 0} {
        if {![regexp {^([0-9A-Fa-f]{1,7})[ \t]*(;.*)?$} [string range $input $at $end-1] -> size]} {
            return bad
        }
        scan $size %x size
        if {$size == 0} {
            # Perhaps some more fields, then an empty line.
            set last [string first \r\n\r\n $input $end]
            if {$last >= 0} {
                set at [expr {$last + 4}]
                set outcome done
            } elseif {[string length $input] - $at > $cmpLargestHead} {
                return bad
            }
            break
        }
        set next [expr {$end + $size + 4}]
        if {[string length $input] < $next} {
            break
        }
        if {[string range $input $next-2 $next-1] ne "\r\n"} {
            return bad
        }
        append body [string range $input $end+2 $next-3]
        set at $next
    }
    if {$at > 0} {
        set input [string range $input $at end]
    } elseif {$end < 0 && [string length $input] > $cmpLargestHead} {
        return bad
    }
    return $outcome
}

# tls::CmpFields --
#       The fields of a head.
#
# Arguments:
#       lines       Its lines without the first one.
#
# Results:
#       A dict; names are in lower case.
proc ::tls::CmpFields {lines} {
    set fields {}
    foreach line $lines {
        if {[regexp {^([^:\s]+):(.*)$} $line -> name value]} {
            dict set fields [string tolower $name] [string trim $value]
        }
    }
    return $fields
}

# tls::CmpIsTwice --
#       Whether one of some fields is there more than once.
#
# Arguments:
#       lines       The lines of a head without the first one.
#       names       The names of the fields.
#
# Results:
#       A boolean.
proc ::tls::CmpIsTwice {lines names} {
    foreach name $names {
        if {[llength [lsearch -all -nocase -regexp $lines "^$name\\s*:"]] > 1} {
            return 1
        }
    }
    return 0
}

# tls::CmpField --
#       A field of a head.
#
# Arguments:
#       fields      The fields.
#       name        The name in lower case.
#
# Results:
#       The value; empty if there is no such field.
proc ::tls::CmpField {fields name} {
    if {[dict exists $fields $name]} {
        return [dict get $fields $name]
    }
    return {}
}
