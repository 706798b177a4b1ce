# ca.tcl -- the benchmark of tls::ca: what one command costs beside openssl ca, by the size of the
# database; and what is done by the thousand.
#
# Usage: tclsh ca.tcl ?-quick? ?-rows SIZES? ?-count COUNT? ?-only WORKS? ?-alone? SIGNING PACKAGE
#
# SIGNING is the built example signing, PACKAGE the folder that tools/package.tcl made. SIZES is a list
# of numbers of records, COUNT one of requests and certificates, WORKS a pattern of works. Each work
# runs in a process of its own, which tells its median time, the most memory it ever had, and how long it
# had processors; that of
# openssl ca, which gets a copy of the same folder, is measured by Python. -alone leaves the program
# out. Nothing is left behind but the table.
#
#       tclsh ca.tcl -worker PACKAGE FOLDER WORK COUNT
#
# is one such process.

source [file join [file dirname [file dirname [file normalize [info script]]]] tests ca-configuration.tcl]

namespace eval bench {
    # Where the authorities are.
    variable folder

    # The configuration of an authority: that of the tests, for certificates that begin now and have the usual
    # extensions.
    variable configuration [string map {
        "default_startdate = 20300101000000Z" "default_days = 365"
        "default_enddate = 20310101000000Z" "x509_extensions = leaf"
        "keyid, issuer:always" keyid
    } $::authority::configuration]

    # Whether openssl ca is left out.
    variable alone 0

    # Writes an index of so many records of a kind.
    variable index {
import sys
path, rows, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(path, "w") as file:
    for number in range(1, rows + 1):
        end = "200101000000Z" if kind == "E" and number % 10 == 0 else "491231235959Z"
        status, revoked = ("R", "250101000000Z,superseded") if kind == "R" else ("V", "")
        file.write(f"{status}\t{end}\t{revoked}\t{number:08X}\tunknown\t/O=Bench/CN=host {number}\n")
    }

    # Runs a command and tells seconds and KiB.
    variable measure {
import resource, subprocess, sys, time
begin = time.perf_counter()
quiet = subprocess.DEVNULL
code = subprocess.run(sys.argv[1:], stdin=quiet, stdout=quiet, stderr=quiet).returncode
if code != 0:
    sys.exit("it ended with %d" % code)
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    }
}

# Writes a file.
proc bench::Write {path content} {
    set file [open $path wb]
    puts -nonewline $file $content
    close $file
}

# Runs openssl and keeps it quiet.
proc bench::Openssl {args} {
    exec openssl {*}$args 2>/dev/null
}

# An authority with so many records of a kind: V valid, R revoked, E valid and every tenth over.
proc bench::Authority {name rows kind} {
    variable folder
    variable configuration
    variable index
    set path [file join $folder $name]
    file delete -force $path
    file mkdir [file join $path newcerts]
    foreach file {ca.key ca.pem leaf.req} {
        file copy [file join $folder $file] $path
    }
    Write [file join $path ca.cnf] $configuration
    Write [file join $path serial] 10000000\n
    Write [file join $path crlnumber] 01\n
    Write [file join $path index.txt.attr] "unique_subject = yes\n"
    exec python3 -c $index [file join $path index.txt] $rows $kind
    return $path
}

# ---- One process ----------------------------------------------------------------------------------

# Does a work so many times; gives its times in seconds.
proc bench::Work {work count} {
    set times {}
    for {set number 1} {$number <= $count} {incr number} {
        set subject "/CN=$work $number [pid]"
        switch $work {
            open {
                # As if another program had changed it.
                file mtime index.txt [expr {[clock seconds] - $number}]
                set words {-status 0F}
            }
            status {set words {-status 0F}}
            issue {set words [list -in leaf.req -subj $subject -notext]}
            revoke {
                set file one.pem
                tls::ca -config ca.cnf -in leaf.req -subj $subject -notext -out $file
                set words [list -revoke $file]
            }
            updatedb {set words -updatedb}
            gencrl {set words {-gencrl -out out.crl}}
            bulk {set words [list -notext -out out.pem -infiles {*}[glob requests/*]]}
            rebuild {set words -rebuild}
            check {set words -check}
            delta {set words {-gencrl -delta base.crl -out delta.crl}}
        }
        set begin [clock microseconds]
        tls::ca -config ca.cnf {*}$words
        lappend times [expr {([clock microseconds] - $begin) / 1e6}]
    }
    return $times
}

# The process's side of a measurement.
proc bench::Worker {package path work count} {
    lappend ::auto_path [file dirname [file normalize $package]] [file normalize $package]
    package require tls
    cd $path
    # The first call makes what the others find.
    if {$work in {issue revoke status}} {
        tls::ca -config ca.cnf -status 01
    }
    set before [Processor]
    set times [lsort -real [Work $work $count]]
    set processor [expr {[Processor] - $before}]
    set status [open /proc/self/status]
    regexp {VmHWM:\s+(\d+)} [read $status] -> peak
    close $status
    puts "[lindex $times [expr {[llength $times] / 2}]] $peak $processor"
}

# How many seconds this process has had processors so far, by the kernel's count of hundredths.
proc bench::Processor {} {
    set file [open /proc/self/stat]
    set words [read $file]
    close $file
    return [expr {([lindex $words 13] + [lindex $words 14]) / 100.0}]
}

# ---- The measurements -----------------------------------------------------------------------------

# Measures a work in an authority by this package.
proc bench::Ours {package path work count} {
    return [exec [info nameofexecutable] [info script] -worker $package $path $work $count]
}

# Measures a work by openssl ca, unless it is left out.
proc bench::Theirs {path words} {
    variable measure
    variable alone
    if {$alone} {
        return
    }
    set here [pwd]
    cd $path
    try {
        return [exec python3 -c $measure openssl ca -batch -config ca.cnf {*}$words]
    } finally {
        cd $here
    }
}

# A measurement for people.
proc bench::Shown {measured} {
    lassign $measured seconds peak
    return [format "%10.2f ms %6.0f MB" [expr {1000 * $seconds}] [expr {$peak / 1024.0}]]
}

# One line of the table.
proc bench::Line {title ours theirs} {
    puts [format "%-34s %s   %s" $title [Shown $ours] \
        [expr {$theirs eq {} ? "" : [Shown $theirs]}]]
    flush stdout
}

# One command by the size of the database.
proc bench::Sizes {package sizes only} {
    variable alone
    foreach rows $sizes {
        set path [Authority valid $rows V]
        set copy [expr {$alone ? {} : [Authority copy $rows V]}]
        set count [expr {$rows > 100000 ? 21 : 51}]
        foreach {work words} {
            open {-status 0F} status {-status 0F} issue {-in leaf.req -notext -subj /CN=one -out one.pem}
            revoke {-revoke one.pem}
        } {
            if {![regexp -- $only $work]} continue
            # The program tells a status by an exit code of its own.
            set theirs [expr {$work in {open status} ? {} : [Theirs $copy $words]}]
            Line "$work, $rows records" \
                [Ours $package $path $work [expr {$work eq "open" ? 3 : $count}]] $theirs
        }
        foreach {work kind words} {updatedb E -updatedb gencrl R {-gencrl -out out.crl}} {
            if {![regexp -- $only $work]} continue
            set path [Authority valid $rows $kind]
            Line "$work, $rows records" [Ours $package $path $work 1] \
                [expr {$alone ? {} : [Theirs [Authority copy $rows $kind] $words]}]
        }
        if {[regexp -- $only delta]} {
            Delta $package $rows
        }
    }
}

# A delta list: everything that was revoked is in the base, and a thousand more have been since.
proc bench::Delta {package rows} {
    set path [Authority valid $rows R]
    Ours $package $path gencrl 1
    file rename [file join $path out.crl] [file join $path base.crl]
    set file [open [file join $path index.txt] ab]
    for {set number 1} {$number <= 1000} {incr number} {
        puts $file [format "R\t491231235959Z\t250201000000Z\t%08X\tunknown\t/CN=more %d" \
            [expr {$rows + $number}] $number]
    }
    close $file
    Line "delta, $rows records" [Ours $package $path delta 1] {}
}

# The rate of a call with so many requests, beside what the key alone signs by one thread, by as many as there
# are processors, and in a second of a processor's time, as the example signing tells it.
proc bench::Rate {title count measured raw} {
    lassign $measured seconds peak processor
    lassign $raw one all each
    puts [format "%-34s %10.0f /s %6.0f MB   %.2f of %.0f signatures/s by one thread,\
        %.2f of %.0f by all, %.2f of %.0f a processor's second" \
        $title [expr {$count / $seconds}] [expr {$peak / 1024.0}] [expr {$count / $seconds / $one}] $one \
        [expr {$count / $seconds / $all}] $all [expr {$count / $processor / $each}] $each]
    flush stdout
}

# Brings to the disk what the preparations have written, for which the measured work's first fsync would wait.
proc bench::Settle {} {
    exec sync
}

# Requests by the thousand in one call, beside what the key alone can sign by all processors; and looking
# all of it over, and making it again.
proc bench::Bulk {signing package count only} {
    variable folder
    if {![regexp -- $only bulk]} {
        return
    }
    set path [Authority valid 1 V]
    file mkdir [file join $path requests]
    for {set number 0} {$number < $count} {incr number} {
        Openssl req -new -config [file join $folder req.cnf] -key [file join $folder leaf.key] \
            -subj "/CN=bulk $number" -out [file join $path requests [format %06d.req $number]]
    }
    Settle
    set raw [exec $signing [file join $path ca.key] 2]
    Rate "$count requests in one call" $count [Ours $package $path bulk 1] $raw
    foreach work {check rebuild} {
        Line "$work, $count certificates" [Ours $package $path $work 1] {}
    }
}

# Makes the folder of everything, with the authority's key and a request.
proc bench::Folder {} {
    variable folder
    close [file tempfile folder]
    file delete $folder
    file mkdir $folder
    Write [file join $folder req.cnf] {
        [req]
        distinguished_name = dn
        [dn]
        [ca]
        basicConstraints = critical, CA:TRUE
        subjectKeyIdentifier = hash
    }
    set here [pwd]
    cd $folder
    Openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9000 \
        -subj "/CN=Bench CA" -config req.cnf -extensions ca
    Openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key
    Openssl req -new -config req.cnf -key leaf.key -subj /CN=leaf -out leaf.req
    cd $here
}

# Everything.
proc bench::Main {words} {
    variable folder
    set sizes {1000 100000 1000000}
    set count 1000
    set only .
    variable alone
    while {[string match -* [lindex $words 0]]} {
        set words [lassign $words option]
        switch -- $option {
            -quick {
                set sizes {1000 10000}
                set count 100
            }
            -rows {set words [lassign $words sizes]}
            -count {set words [lassign $words count]}
            -only {set words [lassign $words only]}
            -alone {set alone 1}
            default {error "bad option \"$option\": must be -alone, -count, -only, -quick, or -rows"}
        }
    }
    lassign [lmap word $words {file normalize $word}] signing package
    Folder
    try {
        puts [format "%-34s %23s   %23s" {} "this package" "openssl ca"]
        Sizes $package $sizes $only
        Bulk $signing $package $count $only
    } finally {
        file delete -force $folder
    }
}

if {[file tail $argv0] ne "ca.tcl"} {
    # It is the other benchmark of authorities that begins.
} elseif {[lindex $argv 0] eq "-worker"} {
    bench::Worker {*}[lrange $argv 1 end]
} else {
    bench::Main $argv
}
