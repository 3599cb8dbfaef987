import requests

API_URL = "http://127.0.0.1:8080/completion"


def get_response(prompt, length=None):
    params = {
        "prompt": prompt,
        "temperature": 0.9,
        "top_p": 1,
        "top_k": 40,
        "n": 1,
        "n_predict": length is None and 100 or length,
        "stop": ["\n", "Assistant:"]
    }
    response = requests.post(API_URL, json=params)
    if response.status_code == 200:
        return response.json()['content']
    else:
        return None


if __name__ == "__main__":
    response = get_response("User: Hello, how are you?\nAssistant: ")
    print(response)
