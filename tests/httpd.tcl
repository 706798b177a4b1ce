# httpd.tcl -- a small HTTP/1.1 server and a small proxy for the tests; they run in a child:
#
#       set server [child [list source [file join $helpers::root tests httpd.tcl]]]
#       set port [ask $server {httpd::serve tls -certfile ... -keyfile ...}]
#
# Each connection is a coroutine, and a connection carries as many requests as its client likes.
# Every page is the result of a procedure of namespace httpd::page: it gets the channel and the
# request, and answers itself. A request is a dict with the keys method, path, query, headers, body
# (read, unless the page reads it), connection and secure.

namespace eval httpd {
    # How many connections there were, and the ones that are open, by channel.
    variable connections 0
    variable open [dict create]

    # How many connections there were to the proxies.
    variable tunnels 0

    # What the proxies were asked for, after how many bytes to the client they cut it off, and the
    # pairs of channels between which they pass on what comes.
    variable asked {}
    variable cutAfter {}
    variable proxied {}
}

namespace eval httpd::page {}

# httpd::serve --
#       Starts a server.
#
# Arguments:
#       kind        tls or plain
#       args        options of tls::socket for the listening socket
#
# Results:
#       Its port.
proc httpd::serve {kind args} {
    set command [dict get {tls tls::socket plain socket} $kind]
    set accept [list httpd::Accept $kind]
    set listener [$command -server $accept -myaddr 127.0.0.1 {*}$args 0]
    return [lindex [fconfigure $listener -sockname] 2]
}

# httpd::proxy --
#       Starts an HTTP proxy that knows CONNECT and nothing else.
#
# Arguments:
#       credentials     user:password that clients have to give; none if empty
#
# Results:
#       Its port.
proc httpd::proxy {{credentials {}}} {
    set accept [list httpd::AcceptProxied $credentials]
    set listener [socket -server $accept -myaddr 127.0.0.1 0]
    return [lindex [fconfigure $listener -sockname] 2]
}

# httpd::greet --
#       Starts a server that greets its clients without TLS, and does nothing else.
#
# Arguments:
#       text        what it says; it may be nothing
#
# Results:
#       Its port.
proc httpd::greet {text} {
    set accept [list apply {{text chan args} {
        puts -nonewline $chan $text
        flush $chan
    }} $text]
    set listener [socket -server $accept -myaddr 127.0.0.1 0]
    return [lindex [fconfigure $listener -sockname] 2]
}

# httpd::cut --
#       Cuts off the connections that go through the proxies.
#
# Results:
#       None.
proc httpd::cut {} {
    variable proxied
    foreach pair $proxied {
        Part {*}$pair
    }
    set proxied {}
}

# ---- Connections --------------------------------------------------------------------------------

# Takes a connection.
proc httpd::Accept {kind chan args} {
    variable connections
    variable open
    incr connections
    dict set open $chan $connections
    fconfigure $chan -blocking 0 -translation binary -buffering full -buffersize 16384
    coroutine ::httpd::serving$connections httpd::Serve $chan $connections [expr {$kind eq "tls"}]
}

# Answers the requests of a connection.
proc httpd::Serve {chan number secure} {
    variable open
    try {
        while {[set request [Request $chan]] ne {}} {
            dict set request connection $number
            dict set request secure $secure
            [Page $request] $chan $request
            flush $chan
            if {[Header $request connection] eq "close"} {
                break
            }
        }
    } on error {message} {
        # A client that breaks off, or refuses the certificate, is none of the server's business.
        puts "connection $number: $message"
    } finally {
        dict unset open $chan
        catch {close $chan}
    }
}

# Reads a request up to its body, and that as well unless the page does.
proc httpd::Request {chan} {
    set line [Line $chan]
    if {$line eq {}} {
        return
    }
    lassign $line method target
    # A client that talks to a proxy may name the server here as well.
    regexp {^(?:https?://[^/]*)?([^?]*)(?:\?(.*))?$} $target -> path query
    set request [dict create method $method path $path query $query headers {} body {}]
    while {[set line [Line $chan]] ne {}} {
        regexp {^([^:]+):\s*(.*)$} $line -> name value
        dict set request headers [string tolower $name] $value
    }
    set length [Header $request content-length]
    if {$length ne {} && $path ne "/upload"} {
        dict set request body [Bytes $chan $length]
    }
    return $request
}

# The procedure of a request's page.
proc httpd::Page {request} {
    set name httpd::page::[string trim [dict get $request path] /]
    if {[info procs ::$name] eq {}} {
        return httpd::Missing
    }
    return $name
}

# A header of a request, or nothing.
proc httpd::Header {request name} {
    if {[dict exists $request headers $name]} {
        return [dict get $request headers $name]
    }
}

# Reads a line, or nothing at the end.
proc httpd::Line {chan} {
    while {[gets $chan line] < 0} {
        if {[eof $chan]} {
            return
        }
        Await $chan readable
    }
    return [string trimright $line \r]
}

# Reads a number of bytes.
proc httpd::Bytes {chan count} {
    set data {}
    while {[string length $data] < $count} {
        append data [Some $chan [expr {$count - [string length $data]}]]
    }
    return $data
}

# Reads a few bytes, at least one.
proc httpd::Some {chan most} {
    while {[set piece [read $chan $most]] eq {}} {
        if {[eof $chan]} {
            error "the request ended too early"
        }
        Await $chan readable
    }
    return $piece
}

# Waits for an event of a channel.
proc httpd::Await {chan event} {
    fileevent $chan $event [info coroutine]
    yield
    fileevent $chan $event {}
}

# httpd::Answer --
#       Sends an answer.
#
# Arguments:
#       chan        the connection
#       request     the request
#       body        the body; not sent if the method is HEAD
#       args        -status TEXT, or any header
#
# Results:
#       None.
proc httpd::Answer {chan request body args} {
    set headers [dict merge {-status "200 OK" Content-Type text/plain} $args]
    if {[Header $request connection] eq "close"} {
        dict set headers Connection close
    }
    dict set headers Content-Length [string length $body]
    Head $chan $headers
    if {[dict get $request method] ne "HEAD"} {
        puts -nonewline $chan $body
    }
}

# Sends the first line and the headers of an answer.
proc httpd::Head {chan headers} {
    puts -nonewline $chan "HTTP/1.1 [dict get $headers -status]\r\n"
    dict for {name value} [dict remove $headers -status] {
        puts -nonewline $chan "$name: $value\r\n"
    }
    puts -nonewline $chan \r\n
}

# A page that isn't there.
proc httpd::Missing {chan request} {
    Answer $chan $request "no such page\n" -status "404 Not Found"
}

# ---- Pages --------------------------------------------------------------------------------------

# A text.
proc httpd::page::hello {chan request} {
    httpd::Answer $chan $request "hello, world\n"
}

# What came: the method, the query, the body and the content type.
proc httpd::page::echo {chan request} {
    set words [list [dict get $request method] [dict get $request query] \
        [httpd::Header $request content-type] [dict get $request body]]
    httpd::Answer $chan $request $words
}

# The number of the connection.
proc httpd::page::connection {chan request} {
    httpd::Answer $chan $request [dict get $request connection]
}

# What TLS says about the client.
proc httpd::page::client {chan request} {
    set status [tls::status $chan]
    set subject {}
    if {[dict exists $status subject]} {
        set subject [dict get $status subject]
    }
    httpd::Answer $chan $request $subject
}

# A body in chunks of the sizes that the query lists.
proc httpd::page::chunked {chan request} {
    httpd::Head $chan {-status "200 OK" Content-Type text/plain Transfer-Encoding chunked}
    foreach size [split [dict get $request query] +] {
        puts -nonewline $chan [format %x $size]\r\n[string repeat c $size]\r\n
        # One TLS record for each, at least.
        flush $chan
    }
    puts -nonewline $chan 0\r\n\r\n
}

# A redirection to the address that is the query.
proc httpd::page::redirect {chan request} {
    set location [dict get $request query]
    httpd::Answer $chan $request "go on\n" -status "302 Found" Location $location
}

# As many bytes as the query says. They are written as the client takes them.
proc httpd::page::download {chan request} {
    set left [dict get $request query]
    httpd::Head $chan [list -status "200 OK" Content-Type application/octet-stream \
        Content-Length $left]
    while {$left > 0} {
        set count [expr {min($left, 65536)}]
        puts -nonewline $chan [httpd::Pattern $count]
        incr left -$count
        httpd::Await $chan writable
    }
}

# How many bytes came, and their checksum.
proc httpd::page::upload {chan request} {
    set length [httpd::Header $request content-length]
    set left $length
    set checksum 0
    while {$left > 0} {
        set piece [httpd::Some $chan [expr {min($left, 65536)}]]
        set checksum [zlib crc32 $piece $checksum]
        incr left -[string length $piece]
    }
    httpd::Answer $chan $request [list $length $checksum]
}

# A body that ends with the connection, of as many bytes as the query says.
proc httpd::page::untilclose {chan request} {
    httpd::Head $chan {-status "200 OK" Content-Type text/plain Connection close}
    puts -nonewline $chan [string repeat u [dict get $request query]]
    close $chan
}

# No answer at all.
proc httpd::page::never {chan request} {
    yield
}

# The same bytes every time: those that come after each other differ, and so do records.
proc httpd::Pattern {count} {
    variable pattern
    if {![info exists pattern]} {
        for {set number 0} {$number < 8192} {incr number} {
            append pattern [format %08x [expr {$number * 2654435761 & 0xffffffff}]]
        }
    }
    return [string range $pattern 0 [expr {$count - 1}]]
}

# ---- The proxy ----------------------------------------------------------------------------------

# Takes a connection of a proxy.
proc httpd::AcceptProxied {credentials chan args} {
    variable tunnels
    incr tunnels
    fconfigure $chan -blocking 0 -translation binary
    coroutine ::httpd::proxying$tunnels httpd::Proxy $chan $credentials
}

# Answers the one request of a connection, then passes on what comes.
proc httpd::Proxy {chan credentials} {
    variable asked
    variable cutAfter
    variable proxied
    if {[catch {Request $chan} request] || $request eq {}} {
        close $chan
        return
    }
    lappend asked [list [dict get $request method] [dict get $request path]]
    set wanted "Basic [binary encode base64 $credentials]"
    if {$credentials ne {} && [Header $request proxy-authorization] ne $wanted} {
        Answer $chan $request "who are you?\n" -status "407 Proxy Authentication Required"
        close $chan
        return
    }
    lassign [split [dict get $request path] :] host port
    if {[catch {socket $host $port} server]} {
        Answer $chan $request "nobody there\n" -status "502 Bad Gateway"
        close $chan
        return
    }
    fconfigure $server -translation binary -blocking 0
    puts -nonewline $chan "HTTP/1.1 200 Connection established\r\n\r\n"
    flush $chan
    lappend proxied [list $chan $server]
    set done [list httpd::Part $chan $server]
    fcopy $chan $server -command $done
    if {$cutAfter eq {}} {
        fcopy $server $chan -command $done
    } else {
        fcopy $server $chan -size $cutAfter -command $done
    }
}

# Ends a connection of a proxy at both sides.
proc httpd::Part {client server args} {
    catch {close $client}
    catch {close $server}
}
