// Receives Firstbell's webhooks: verifies, keeps each message once, and only then answers.
//
//     dotnet new web -o Receiver, put this in the place of its Program.cs, then
//     WEBHOOK_SECRET=whsec_… dotnet run --urls http://127.0.0.1:8080
//
// WEBHOOK_SECRET may be two secrets with a space between, while one takes the other's place.
// messages.ndjson gets a message a line. Put a proxy with TLS before it. .NET 8 or later, nothing else.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

const long BodyBytesMax = 8_000_000;
const long ClocksApartMaxS = 300;

var secrets = Environment.GetEnvironmentVariable("WEBHOOK_SECRET")!.Split(' ');
var messages = new Messages("messages.ndjson");
var builder = WebApplication.CreateBuilder(args);
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = BodyBytesMax);
var app = builder.Build();

app.MapPost("/{**path}", async (HttpRequest request) =>
{
    using var buffer = new MemoryStream();
    await request.Body.CopyToAsync(buffer);
    var body = buffer.ToArray();
    var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    if (!IsGenuine(request.Headers, body, secrets, now)) return Results.Unauthorized();
    var message = JsonNode.Parse(body)!.AsObject();
    if (messages.Keep(request.Headers["webhook-id"].ToString(), message))
    {
        // Slow work goes here, after the message is safe, and best not before the answer.
        Console.WriteLine($"{message["type"]} missing: {string.Join(", ", messages.Missing())}");
        if ((string?)message["type"] == "endpoint.challenge")
            Console.WriteLine($"verify with: {message["data"]!["challenge"]}");
    }
    return Results.NoContent();
});
app.Run();

// Whether one of the signatures is by one of the secrets, over these very bytes, and recent.
static bool IsGenuine(IHeaderDictionary headers, byte[] body, string[] secrets, long nowS)
{
    var at = headers["webhook-timestamp"].ToString();
    if (!long.TryParse(at, out var atS) || Math.Abs(nowS - atS) > ClocksApartMaxS) return false;
    byte[] signed = [.. Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{at}."), .. body];
    var given = headers["webhook-signature"].ToString().Split(' ');
    foreach (var secret in secrets)
    {
        var key = Convert.FromBase64String(secret.StartsWith("whsec_") ? secret[6..] : secret);
        var digest = HMACSHA256.HashData(key, signed);
        var ours = Encoding.UTF8.GetBytes("v1," + Convert.ToBase64String(digest));
        foreach (var one in given)
            if (CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(one), ours)) return true;
    }
    return false;
}

// Messages in a file, each once; what is in it is known again after a restart.
sealed class Messages
{
    private readonly HashSet<string> _ids = [];
    private readonly HashSet<long> _numbers = [];
    private readonly FileStream _file;

    public Messages(string path)
    {
        foreach (var line in File.Exists(path) ? File.ReadAllLines(path) : [])
            Note(JsonNode.Parse(line)!.AsObject());
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
    }

    // Keep a message on disk; false: it is a repeat, and there already.
    public bool Keep(string id, JsonObject message)
    {
        lock (_ids)
        {
            if (_ids.Contains(id)) return false;
            message["id"] = id;
            _file.Write(Encoding.UTF8.GetBytes(message.ToJsonString() + "\n"));
            _file.Flush(flushToDisk: true);
            Note(message);
            return true;
        }
    }

    // Which numbers have not come, of those up to the highest that has.
    public List<long> Missing()
    {
        lock (_ids)
        {
            var found = new List<long>();
            var highest = _numbers.Count == 0 ? 0 : _numbers.Max();
            for (long n = 1; n < highest; n++) if (!_numbers.Contains(n)) found.Add(n);
            return found;
        }
    }

    private void Note(JsonObject line)
    {
        _ids.Add((string)line["id"]!);
        _numbers.Add((long)line["sequence"]!);
    }
}
