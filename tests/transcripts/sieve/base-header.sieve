--- script
require ["fileinto"];
if header "subject" "hello world 42" { fileinto "1"; }
if header :is "subject" "hello" { fileinto "2"; }
if header :contains ["x-none","SUBJECT"] "WORLD" { fileinto "3"; }
if header :matches "subject" "h?llo*" { fileinto "4"; }
if header :matches "subject" "h?llo" { fileinto "5"; }
if header :comparator "i;octet" :contains "subject" "hello" { fileinto "6"; }
if header :comparator "i;octet" :contains "subject" "Hello" { fileinto "7"; }
if not header :contains "subject" "" { fileinto "8"; }
if header :contains "x-none" "" { fileinto "9"; }
if header :matches "x-spam-score" ["5","?"] { fileinto "10"; }
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>, ben@example.net
Subject: Hello World 42
Date: Tue, 24 Nov 2026 10:30:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 7
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
fileinto 1
fileinto 3
fileinto 4
fileinto 7
fileinto 10
