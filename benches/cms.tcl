# cms.tcl -- times tls::cms beside the openssl program and gpgsm, operation by operation.
#
# Usage: tclsh benches/cms.tcl ?-sizes LIST? ?-rounds N? ?-only PATTERN? ?-folder FOLDER? PACKAGE
#
# PACKAGE is the folder of a built package. Sizes are in MiB, 1 100 1024 unless given; the median of
# three rounds is shown. FOLDER is where files lie meanwhile, best one in memory (/dev/shm, for example). Every
# run is a process of its own, whose time and peak of memory the system tells; they take turns. Of tls::cms the
# time of the call alone is told as well, since a script that calls it has been started long before. Certificates
# are those of the tests.

namespace eval bench {
    variable here [file dirname [file normalize [info script]]]

    # Each operation: a title, how it is done, by which words the message is made that it reads (the openssl
    # program makes it, or tls::cms where that can't), and how gpgsm does the same, if it does.
    variable operations {
        "sign, detached, DER"
            {-sign -binary -outform DER -signer RSA} {}
            {-u mail-rsa@example.org --detach-sign}
        "verify, detached, DER"
            {-verify -binary -inform DER -content CONTENT -CAfile CA}
            {-sign -binary -outform DER -signer RSA} {--verify MESSAGE CONTENT}
        "sign, detached, S/MIME" {-sign -binary -signer RSA} {} {}
        "verify, detached, S/MIME" {-verify -binary -CAfile CA} {-sign -binary -signer RSA} {}
        "sign, opaque, DER" {-sign -binary -nodetach -outform DER -signer RSA} {}
            {-u mail-rsa@example.org --sign}
        "sign, opaque, -stream" {-sign -binary -nodetach -stream -outform DER -signer RSA} {} {}
        "verify, opaque, DER" {-verify -binary -inform DER -CAfile CA}
            {-sign -binary -nodetach -outform DER -signer RSA} {--verify MESSAGE}
        "verify, opaque, BER" {-verify -binary -inform DER -CAfile CA}
            {-sign -binary -nodetach -stream -outform DER -signer RSA} {}
        "verify, opaque, S/MIME" {-verify -binary -CAfile CA}
            {-sign -binary -nodetach -stream -signer RSA} {}
        "encrypt, CBC, DER" {-encrypt -binary -aes256 -outform DER CERT} {} {}
        "encrypt, CBC, -stream" {-encrypt -binary -stream -aes256 -outform DER CERT} {}
            {-r mail-rsa@example.org --encrypt}
        "decrypt, CBC, DER" {-decrypt -inform DER -recip RSA}
            {-encrypt -binary -aes256 -outform DER CERT} {--decrypt MESSAGE}
        "decrypt, CBC, BER" {-decrypt -inform DER -recip RSA}
            {-encrypt -binary -stream -aes256 -outform DER CERT} {}
        "encrypt, GCM, DER" {-encrypt -binary -aes-256-gcm -outform DER CERT} {} {}
        "encrypt, GCM, -stream" {-encrypt -binary -stream -aes-256-gcm -outform DER CERT} {} {}
        "decrypt, GCM, DER" {-decrypt -inform DER -recip RSA}
            {-encrypt -binary -aes-256-gcm -outform DER CERT} {}
        "decrypt, GCM, BER" {-decrypt -inform DER -recip RSA}
            {-encrypt -binary -stream -aes-256-gcm -outform DER CERT} {}
        "encrypt, CBC, S/MIME" {-encrypt -binary -stream -aes256 CERT} {} {}
        "decrypt, CBC, S/MIME" {-decrypt -recip RSA} {-encrypt -binary -stream -aes256 CERT} {}
        "EncryptedData_encrypt" {-EncryptedData_encrypt -binary -aes256 -outform DER -secretkey KEY} {} {}
        "EncryptedData_decrypt" {-EncryptedData_decrypt -inform DER -secretkey KEY}
            {-EncryptedData_encrypt -binary -aes256 -outform DER -secretkey KEY} {}
        "digest_create" {-digest_create -binary -outform DER} {} {}
        "digest_verify" {-digest_verify -inform DER} {-digest_create -binary -outform DER} {}
        "data_create" {-data_create -binary -outform DER} {} {}
        "data_out" {-data_out -inform DER} {-data_create -binary -outform DER} {}
        "compress" {-compress -binary -outform DER} {} {}
        "uncompress" {-uncompress -inform DER} {-compress -binary -outform DER} {}
    }

    # Tells the time in seconds and the peak in KiB of the command that stands behind it, and its status.
    variable meter {
import os, sys, time
start = time.monotonic()
child = os.fork()
if child == 0:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print("%.3f %d %d" % (time.monotonic() - start, usage.ru_maxrss, status))
}
}

proc bench::Path {name} {
    variable folder
    return [file join $folder $name]
}

# The words of an operation with its files.
proc bench::Words {words input output} {
    variable certs
    set names [list RSA [file join $certs mail-rsa-both.pem] CERT [file join $certs mail-rsa.pem] \
        CA [file join $certs ca.pem] CONTENT [Path content] MESSAGE $input KEY [string repeat 00112233 8]]
    # Certificates of recipients stand behind all options.
    return [list [lindex $words 0] -in $input -out $output \
        {*}[lmap word [lrange $words 1 end] {dict get [dict merge [list $word $word] $names] $word}]]
}

# Runs a command; seconds, peak in MiB, and whether it went well.
proc bench::Measure {command} {
    variable meter
    lassign [exec python3 -c $meter {*}$command] seconds peak status
    return [list $seconds [expr {$peak / 1024.0}] [expr {$status == 0}]]
}

# The commands of an operation by contestant.
proc bench::Contestants {words gpgsm input output} {
    variable script
    set all [list openssl [list openssl cms {*}[Words $words $input $output]] \
        tls [list [info nameofexecutable] $script [Path call] {*}[Words $words $input $output]]]
    if {$gpgsm ne {} && [auto_execok gpgsm] ne {}} {
        set names [list CONTENT [Path content] MESSAGE $input]
        set rest [lmap word $gpgsm {expr {[dict exists $names $word] ? [dict get $names $word] : $word}}]
        if {[lindex $rest end] ni [list $input [Path content]]} {
            lappend rest $input
        }
        lappend all gpgsm [list gpgsm --yes -o $output {*}$rest]
    }
    return $all
}

# The seconds that the last call took.
proc bench::Call {} {
    set file [open [Path call]]
    try {
        return [read $file]
    } finally {
        close $file
    }
}

# The median of some numbers.
proc bench::Median {numbers} {
    return [lindex [lsort -real $numbers] [expr {[llength $numbers] / 2}]]
}

# A home for gpgsm, with a key that has no password.
proc bench::Home {} {
    variable certs
    set home [Path gnupg]
    file mkdir $home
    file attributes $home -permissions 0700
    set ::env(GNUPGHOME) $home
    foreach {name lines} [list \
        gpgsm.conf "disable-crl-checks\ndisable-policy-checks\nbatch\nno-tty\npinentry-mode loopback" \
        gpg-agent.conf allow-loopback-pinentry] {
        set file [open [file join $home $name] w]
        puts $file $lines
        close $file
    }
    regexp {=(.*)$} [exec openssl x509 -in [file join $certs ca.pem] -noout -fingerprint -sha1] -> print
    set file [open [file join $home trustlist.txt] w]
    puts $file "$print S relax"
    close $file
    exec openssl pkcs12 -export -in [file join $certs mail-rsa.pem] -inkey [file join $certs mail-rsa.key] \
        -certfile [file join $certs ca.pem] -passout pass: -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES \
        -macalg sha1 -out [Path bundle.p12]
    catch {exec gpgsm --passphrase-fd 0 --import [Path bundle.p12] << "\n" 2>@1}
}

# One operation at one size.
proc bench::Operation {title words from gpgsm size rounds} {
    variable script
    set input [Path content]
    if {$from ne {}} {
        set input [Path message]
        set made [Words $from [Path content] $input]
        if {[catch {exec -ignorestderr openssl cms {*}$made 2>@1}]} {
            exec [info nameofexecutable] $script [Path call] {*}$made
        }
    }
    set contestants [Contestants $words $gpgsm $input [Path out]]
    for {set round 0} {$round < $rounds} {incr round} {
        dict for {who command} $contestants {
            file delete [Path out]
            lassign [Measure $command] seconds peak good
            if {$good} {
                dict lappend times $who $seconds
                dict lappend peaks $who $peak
                if {$who eq "tls"} {
                    lappend calls [Call]
                }
            }
        }
    }
    set found {}
    if {[info exists calls]} {
        dict set found call [Median $calls]
    }
    foreach who {openssl tls gpgsm} {
        if {[info exists times] && [dict exists $times $who]} {
            dict set found $who [Median [dict get $times $who]]
            lappend cells [format {%8.3f s %7.1f MiB} [dict get $found $who] \
                [lindex [lsort -real [dict get $peaks $who]] end]]
        } else {
            lappend cells [format %22s -]
        }
    }
    foreach who {tls call} {
        if {[dict exists $found openssl] && [dict exists $found $who]} {
            lappend ratios [format %.2f [expr {[dict get $found $who] / [dict get $found openssl]}]]
        } else {
            lappend ratios -
        }
    }
    puts [format {| %5d MiB | %-24s | %s | %5s | %5s |} $size $title [join $cells { | }] {*}$ratios]
    flush stdout
}

proc bench::main {words} {
    variable here
    variable operations
    variable folder
    variable certs
    variable script
    set options [dict merge {-sizes {1 100 1024} -rounds 3 -only * -folder {}} [lrange $words 0 end-1]]
    set package [file normalize [lindex $words end]]
    set folder [dict get $options -folder]
    if {$folder eq {}} {
        set folder [expr {[file isdirectory /dev/shm] ? "/dev/shm" : "/tmp"}]
    }
    set folder [file join $folder tls-bench-[pid]]
    set certs [file normalize [file join $here .. build certs]]
    exec [info nameofexecutable] [file join $here .. tests certs make.tcl]
    file mkdir $folder
    set script [Path run.tcl]
    set file [open $script w]
    puts $file "set dir [list $package]\nsource \[file join \$dir pkgIndex.tcl\]\npackage require tls"
    puts $file {
        set start [clock microseconds]
        tls::cms {*}[lrange $argv 1 end]
        set stop [clock microseconds]
        set file [open [lindex $argv 0] w]
        puts $file [expr {($stop - $start) / 1e6}]
        close $file
    }
    close $file
    try {
        if {[auto_execok gpgsm] ne {}} {
            Home
        }
        puts "|      size | operation                |                openssl |                    tls\
            |                  gpgsm | ratio |  call |"
        foreach size [dict get $options -sizes] {
            exec head -c [expr {$size * 1024 ** 2}] /dev/urandom > [Path content]
            foreach {title how from gpgsm} $operations {
                if {[string match [dict get $options -only] $title]} {
                    Operation $title $how $from $gpgsm $size [dict get $options -rounds]
                }
            }
        }
    } finally {
        catch {exec gpgconf --kill all 2>@1}
        file delete -force $folder
    }
}

bench::main $argv
